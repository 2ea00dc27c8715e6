"""`dougong up`: the whole hub as one supervised tree of processes on one machine."""
