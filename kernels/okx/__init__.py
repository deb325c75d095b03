"""OKX's portfolio margin: the charges of one risk unit."""
