"""Published theorems as executable claims: a domain, an inequality, a verdict."""
