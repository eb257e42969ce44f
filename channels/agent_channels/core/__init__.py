"""What every channel shares: it never names, and never imports, a platform."""
