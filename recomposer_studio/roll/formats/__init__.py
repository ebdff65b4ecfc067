"""Labels of other programs: what each format says about sounds in time becomes events, and back."""
