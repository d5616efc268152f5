"""Exact facts about an MDP without parameters: values, returns, occupancy measures, exact LP."""
