"""Settings that every test shares: how Hypothesis searches."""

from hypothesis import HealthCheck, settings

# Loaded by name because Hypothesis would otherwise pick its own profile under CI, one that repeats the same examples in
# every run. Here each run looks somewhere new; a failure prints the blob that reproduces it. Shared machines make
# wall-clock deadlines and "too slow" meaningless: pytest's timeout is the bound.
settings.register_profile(
    "remit", deadline=None, derandomize=False, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("remit")
