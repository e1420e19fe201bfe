"""Where stored responses lie: the memory tier, the disk tier, the two as one."""
