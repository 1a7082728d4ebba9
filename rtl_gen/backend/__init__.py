"""Verilog for people: Amaranth's netlist text (RTLIL) in, named and structured Verilog out."""
