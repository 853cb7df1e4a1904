/** Example on the reference page of AWSAssumeRole; a test applies it to a real API server. */
export const awsAssumeRoleExample = `apiVersion: pincette.net/v1
kind: AWSAssumeRole
metadata:
  name: reports
  namespace: team-a
spec:
  roleName: team-a/reports-reader
  durationSeconds: 3600
  secretName: reports-aws
  secretType: Map
`;

/** Example on the reference page of RoleGrant; a test applies it to a real API server. */
export const roleGrantExample = `apiVersion: rolevend.dev/v1alpha1
kind: RoleGrant
metadata:
  name: tenants
spec:
  namespaces:
    selector:
      matchLabels:
        tenant: "true"
  roles:
    - arn:self:iam::self:role/tenants/\${namespace}/*
  maxDurationSeconds: 3600
  secretTypes: [Map, File]
`;
