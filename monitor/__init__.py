"""The liquidation monitor: a pure engine (`monitor.engine`) and the shell around it."""

__version__ = "0.1.0"
