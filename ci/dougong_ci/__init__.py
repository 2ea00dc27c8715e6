"""The judge of Dougong. Kept bare: Python runs this file whenever `dougong_ci.report` is read."""
