"""Energy and operating points: fits of the bundled measurements, their errors, and the tables they give."""
