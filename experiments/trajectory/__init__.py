"""The fluid path of a time-varying rate beside a simulated one."""
