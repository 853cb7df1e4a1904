{{- /* Of a Service, too, whose names are the strictest of all. */ -}}
{{- define "rolevend.fullname" -}}
{{- if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" .Release.Name) -}}
{{- fail (printf "the release name %q cannot be the name of a Service; use one of a-z, 0-9 and '-' that begins with a letter" .Release.Name) -}}
{{- end -}}
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
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- /* Those of the value `labels` too; ours win. */ -}}
{{- define "rolevend.labels" -}}
{{- merge (include "rolevend.selector" . | fromYaml) (include "rolevend.releaseLabels" . | fromYaml) | toYaml -}}
{{- end -}}

{{- /* Without those by which the operator's Pods are selected. */ -}}
{{- define "rolevend.releaseLabels" -}}
{{- merge (dict
  "app.kubernetes.io/version" (.Chart.AppVersion | replace "+" "_")
  "app.kubernetes.io/managed-by" .Release.Service
  "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_")) .Values.labels | toYaml -}}
{{- end -}}

{{- define "rolevend.image" -}}
{{- .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- with .Values.image.digest }}@{{ . }}{{ end }}
{{- end -}}

{{- /* Of a release that is called rolevend it is the name of ever, so that an upgrade keeps it. */ -}}
{{- define "rolevend.lease" -}}
{{- include "rolevend.fullname" . }}-controller
{{- end -}}

{{- define "rolevend.podSecurity" -}}
{{- include "rolevend.withoutIds" (list .Values.podSecurityContext .Values.openshift) -}}
{{- end -}}

{{- define "rolevend.containerSecurity" -}}
{{- include "rolevend.withoutIds" (list .Values.securityContext .Values.openshift) -}}
{{- end -}}

{{- /* A list of a security context, and whether the platform chooses its ids. */ -}}
{{- define "rolevend.withoutIds" -}}
{{- $context := index . 0 -}}
{{- if index . 1 -}}{{- $context = omit $context "runAsUser" "runAsGroup" "fsGroup" -}}{{- end -}}
{{- toYaml $context -}}
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
{{- if .Values.rolloutRestart.enabled }}
- apiGroups: [apps]
  resources: [deployments, statefulsets, daemonsets]
  verbs: [patch]
{{- end }}
{{- end -}}

{{- /* The settings of `aws` and `proxy`, as the variables that AWS SDKs read. Empty where nothing is set. */ -}}
{{- define "rolevend.env" -}}
{{- $env := dict
  "AWS_CA_BUNDLE" (ternary (printf "/etc/rolevend/%s" .Values.aws.caBundle.key) "" (ne .Values.aws.caBundle.configMap ""))
  "AWS_USE_FIPS_ENDPOINT" (ternary "true" "" .Values.aws.useFipsEndpoint)
  "AWS_USE_DUALSTACK_ENDPOINT" (ternary "true" "" .Values.aws.useDualstackEndpoint)
  "AWS_ENDPOINT_URL" .Values.aws.endpointUrl
  "HTTPS_PROXY" .Values.proxy.httpsProxy
  "HTTP_PROXY" .Values.proxy.httpProxy
  "NO_PROXY" .Values.proxy.noProxy -}}
{{- range $service, $url := .Values.aws.endpointUrls -}}
{{- $_ := set $env (printf "AWS_ENDPOINT_URL_%s" (snakecase $service | upper)) $url -}}
{{- end -}}
{{- range $name, $value := $env }}
{{- with $value }}
- name: {{ $name }}
  value: {{ . | quote }}
{{- end }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* The TCP ports that the operator connects to, as a JSON list. */ -}}
{{- define "rolevend.egressPorts" -}}
{{- $ports := list 443 -}}
{{- range .Values.networkPolicy.apiServerPorts -}}{{- $ports = append $ports (int .) -}}{{- end -}}
{{- $urls := concat (list .Values.proxy.httpsProxy .Values.proxy.httpProxy .Values.aws.endpointUrl) (values .Values.aws.endpointUrls) -}}
{{- range $url := compact $urls -}}
{{- $port := regexFind ":[0-9]+$" (urlParse $url).host | trimPrefix ":" -}}
{{- $ports = append $ports ($port | default (ternary "80" "443" (hasPrefix "http:" $url)) | int) -}}
{{- end -}}
{{- $ports | uniq | toJson -}}
{{- end -}}

{{- /* "true" where the cluster has the definition of RoleGrant, so that Helm can make one. */ -}}
{{- define "rolevend.knowsRoleGrant" -}}
{{- if or (.Capabilities.APIVersions.Has "rolevend.dev/v1alpha1/RoleGrant") (lookup "apiextensions.k8s.io/v1" "CustomResourceDefinition" "" "rolegrants.rolevend.dev") -}}
true
{{- end -}}
{{- end -}}

{{- /* "true" where Helm renders alone, for others to apply: then it finds nothing, and what it looks for is in every cluster. */ -}}
{{- define "rolevend.isOffline" -}}
{{- if not (lookup "rbac.authorization.k8s.io/v1" "ClusterRole" "" "view") -}}
true
{{- end -}}
{{- end -}}
