"""What users need to test with: a clock moved by hand, random ledger programs, and the suite every store must pass."""

from remit.testing.bench import NotConforming
from remit.testing.clock import FakeClock
from remit.testing.conformance import StoreConformance, StoreConformanceTests, checks
from remit.testing.programs import Program

__all__ = ["FakeClock", "NotConforming", "Program", "StoreConformance", "StoreConformanceTests", "checks"]
