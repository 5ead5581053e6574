"""Compare the representations of brains and of artificial networks.

The package holds the science of the workflow: arrays and ``xarray.DataArray`` objects go in and come
out. It knows no configuration and no Snakemake. Subpackages are imported on demand, so that
``import neurocompare`` costs nothing: ``from neurocompare import representation, similarity``.
"""

__version__ = "0.1.0"
