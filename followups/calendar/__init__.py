"""The days ahead: how many follow-ups each hour has, and what that means for numbers and portfolios."""
