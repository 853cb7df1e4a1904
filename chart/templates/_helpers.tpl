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
