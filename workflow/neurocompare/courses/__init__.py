"""Responses over condition × time, unrolled into rows that networks with time are compared with."""
