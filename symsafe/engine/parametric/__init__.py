"""Problems with parameters: where in their domain is the data distribution safe?"""
