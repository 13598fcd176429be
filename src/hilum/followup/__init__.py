"""Studies of one patient at two dates: laying the earlier one over the current one."""
