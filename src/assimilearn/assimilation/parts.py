"""The assimilation methods of the package, by name."""

from assimilearn.registry import Kind

KINDS = {
    "method": Kind(
        parts={
            "climatology": "climatology:ClimatologySettings",
            "interpolation": "interpolation:InterpolationSettings",
            "blue": "blue:BLUESettings",
            "3dvar": "threedvar:ThreeDVarSettings",
            "enkf": "enkf:EnKFSettings",
            "etkf": "etkf:ETKFSettings",
            "denkf": "denkf:DEnKFSettings",
            "esrf": "esrf:ESRFSettings",
            "enkf-n": "enkf_n:EnKFNSettings",
            "letkf": "letkf:LETKFSettings",
            "eakf": "eakf:EAKFSettings",
            "ekf": "ekf:EKFSettings",
            "particle": "particle:ParticleSettings",
            "lpf": "lpf:LPFSettings",
            "enks": "enks:EnKSSettings",
            "letks": "letks:LETKSSettings",
            "enrts": "enrts:EnRTSSettings",
            "ienks": "ienks:IEnKSSettings",
            "lienks": "lienks:LIEnKSSettings",
            "4dvar": "fourdvar:FourDVarSettings",
            "hybrid": "hybrid:HybridSettings",
        },
        base="plugin:MethodSettings",
        adapter="plugin",
    ),
}
