"""Approximate operators are judged on tasks: what they keep, beside what they save.

The judge runs tiny trained models itself and asks the sandbox for nothing but attention (or for a
transformed model), so that quality and speed are measured over one path. `gate.Quality` is the
gate, `cost.time_lengths` times the tasks' own calls, `show.render` draws both.
"""
