"""Settings every test shares.

Property tests are reproducible by default; ``HYPOTHESIS_PROFILE=explore`` looks for new examples.
Folders of tests carry no ``__init__.py``: they mirror the packages and must not be taken for them.
"""

import os

from hypothesis import HealthCheck, settings

settings.register_profile("reproducible", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("explore", deadline=None, max_examples=1000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "reproducible"))
