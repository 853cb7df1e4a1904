{{- define "rolevend.fullname" -}}
{{- if contains "rolevend" .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-rolevend" .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "rolevend.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "rolevend.fullname" .) -}}
{{- end -}}

{{- define "rolevend.selector" -}}
app.kubernetes.io/name: rolevend
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "rolevend.labels" -}}
{{ include "rolevend.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- /* What the operator does in each namespace it works in. */ -}}
{{- define "rolevend.namespacedRules" -}}
- apiGroups: [pincette.net]
  resources: [awsassumeroles]
  verbs: [get, list, watch]
- apiGroups: [pincette.net]
  resources: [awsassumeroles/status]
  verbs: [patch]
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, list, watch, create, update, delete]
- apiGroups: [""]
  resources: [events]
  verbs: [create]
{{- end -}}

{{- /* The RoleGrant "default" as it stands in the cluster, `{}` where there is none or where nobody can be asked. */ -}}
{{- define "rolevend.standingGrant" -}}
{{- if .Capabilities.APIVersions.Has "rolevend.dev/v1alpha1/RoleGrant" -}}
{{- lookup "rolevend.dev/v1alpha1" "RoleGrant" "" "default" | default dict | toJson -}}
{{- else -}}
{}
{{- end -}}
{{- end -}}

{{- /* "true" where that grant was made by this release. */ -}}
{{- define "rolevend.ownsStandingGrant" -}}
{{- $annotations := dig "metadata" "annotations" dict (include "rolevend.standingGrant" . | fromJson) -}}
{{- $name := get $annotations "meta.helm.sh/release-name" -}}
{{- $namespace := get $annotations "meta.helm.sh/release-namespace" -}}
{{- if and (eq $name .Release.Name) (eq $namespace .Release.Namespace) -}}true{{- end -}}
{{- end -}}
