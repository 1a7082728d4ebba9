"""Simulator's side of test_verilated without a test."""
