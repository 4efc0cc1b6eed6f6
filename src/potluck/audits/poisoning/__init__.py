"""What sites could have done to the model of a run by lying: the plan is played anew, with and without their lie."""
