"""Scenarios: the real edge between a scripted origin and raw clients, one story per test, over real sockets.

Files are named by letter, so that a run fails in a sensible order: b basic, c coalescing, d disk, e errors of the
origin, o operations, s streaming, u unsafe methods, w several workers, z the long hunt. Nobody sleeps: the origin is
held, a metric is waited for, the origin is released.
"""
