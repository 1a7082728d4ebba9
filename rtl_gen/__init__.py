"""GENERATE: from a configuration to bit-exact Verilog."""
