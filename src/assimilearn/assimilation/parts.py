"""The assimilation methods of the package, by name."""

from assimilearn.registry import Kind

KINDS = {
    "method": Kind(
        parts={
            "climatology": "methods.climatology:ClimatologySettings",
            "interpolation": "methods.interpolation:InterpolationSettings",
            "blue": "methods.blue:BLUESettings",
            "3dvar": "methods.threedvar:ThreeDVarSettings",
            "enoi": "methods.enoi:EnOISettings",
            "enkf": "methods.enkf:EnKFSettings",
            "etkf": "methods.etkf:ETKFSettings",
            "denkf": "methods.denkf:DEnKFSettings",
            "esrf": "methods.esrf:ESRFSettings",
            "enkf-n": "methods.enkf_n:EnKFNSettings",
            "letkf": "methods.letkf:LETKFSettings",
            "eakf": "methods.eakf:EAKFSettings",
            "ekf": "methods.ekf:EKFSettings",
            "particle": "methods.particle:ParticleSettings",
            "optpf": "methods.optpf:OptPFSettings",
            "pfxn": "methods.pfxn:PFxNSettings",
            "rhf": "methods.rhf:RHFSettings",
            "lnetf": "methods.lnetf:LNETFSettings",
            "lpf": "methods.lpf:LPFSettings",
            "enks": "methods.enks:EnKSSettings",
            "letks": "methods.letks:LETKSSettings",
            "enrts": "methods.enrts:EnRTSSettings",
            "ienks": "methods.ienks:IEnKSSettings",
            "lienks": "methods.lienks:LIEnKSSettings",
            "4dvar": "methods.fourdvar:FourDVarSettings",
            "hybrid": "methods.hybrid:HybridSettings",
            "score-filter": "methods.score_filter:ScoreFilterSettings",
            "learned": "methods.learned:LearnedSettings",
        },
        base="plugin:MethodSettings",
        adapter="plugin",
    ),
}
