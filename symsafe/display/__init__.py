"""Pictures of what symsafe finds; they need the extra ``plot``."""
