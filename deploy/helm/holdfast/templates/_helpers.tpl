{{/* Name of all objects: the release's, with the chart's name behind it unless it is there already. */}}
{{- define "holdfast.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" }}{{ end }}
{{- end }}

{{/* Labels by which pods are selected: they may never change. */}}
{{- define "holdfast.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "holdfast.labels" -}}
{{ include "holdfast.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* Settings that are not secret. One that the chart makes of a value can't be set by its name, too. */}}
{{- define "holdfast.settings" -}}
{{- $own := dict
  "CONFIG" "Production"
  "PUBLIC_URL" .Values.publicURL
  "ALLOWED_ORIGINS" (join "," .Values.allowedOrigins)
  "TRUSTED_PROXIES" .Values.trustedProxies
  "ADMIN_ADDR" "0.0.0.0:9090"
  "POSTGRES_HOST" .Values.postgres.host
  "POSTGRES_PORT" (toString .Values.postgres.port)
  "POSTGRES_DB" .Values.postgres.database
  "STORAGE_TYPE" "s3"
  "S3_ENDPOINT" .Values.s3.endpoint
  "S3_REGION" .Values.s3.region
  "S3_KIND" .Values.s3.kind
  "BUCKET_PREFIX" .Values.s3.bucketPrefix
  "MEMORY_BUDGET" (int64 .Values.memoryBudget | toString)
  "DRAIN_DELAY" (printf "%ds" (int .Values.drain.delay))
  "DRAIN_TIMEOUT" (printf "%ds" (int .Values.drain.timeout)) }}
{{- range $name, $value := .Values.settings }}
{{- if hasKey $own $name }}{{ fail (printf "settings.%s: the chart has a value of its own for it" $name) }}{{ end }}
{{- end }}
{{- merge $own .Values.settings | toYaml }}
{{- end }}
