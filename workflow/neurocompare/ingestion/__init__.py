"""What loaders share: opening files, alignment to events, binning, selections that are counted, pools."""
