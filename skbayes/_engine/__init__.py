"""Where torch meets skorch: batches, seeds, devices, the one net, the posterior stack."""
