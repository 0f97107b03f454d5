"""The soak test of `make soak`: a long run of mixed requests against `serve` with an unreliable upstream."""
