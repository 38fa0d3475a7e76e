"""What several policies are made of: memory under pressure, reservations, budgets, projections, length bins."""
