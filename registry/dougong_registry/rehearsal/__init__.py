"""A made-up hub of any size, for measuring how the pages behave at the size of a real one."""
