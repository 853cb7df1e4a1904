import { stringify } from 'yaml';
import { type Rendered, render, set } from '../chart/support.ts';

/** The labels that only Helm's own objects carry. */
const HELM_LABELS = ['app.kubernetes.io/managed-by', 'helm.sh/chart'];

const head = (more: string) => `# Generated from chart/ by "make generate". Do not edit.
#
# Everything for kubectl apply --server-side --filename, but the RoleGrants: without one nothing is issued. See
# manifests/grants/default.yaml and examples/grant-for-a-team.yaml. Put your image and Region (--region) in first, and for IRSA
# the annotation eks.amazonaws.com/role-arn of the ServiceAccount.
#
# Never kubectl delete --filename this file: that deletes the custom resource definitions, and with them every object and its
# Secret.
${more}`;

/** So that there is a place to put one's own in. */
const REGION = 'eu-central-1';

/** How the manifests in `manifests/` differ from the chart's own defaults. */
export const installations = {
  'install.yaml': { values: { 'aws.region': REGION }, note: '' },
  'install-namespaced.yaml': {
    values: { 'aws.region': REGION, 'rbac.namespaces': ['team-a'] },
    note: '# The operator works in the namespace team-a alone, which must exist, and can reach no Secret outside of it.\n',
  },
} as const;

/** A file with everything that the chart installs, for those who do not use Helm. */
export async function installManifest(name: keyof typeof installations): Promise<string> {
  const { values, note } = installations[name];
  const objects = await render('Helm 4', [...set({ ...values, 'grants.installDefault': false }), '--no-hooks']);
  const documents = [namespace, ...objects.map(withoutHelm)];
  const options = { lineWidth: 120, aliasDuplicateObjects: false };
  return head(note) + documents.map((object) => `---\n${stringify(object, options)}`).join('');
}

/** Pods in it have to meet the restricted standard, as those of the operator do. */
const namespace = {
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name: 'rolevend-system', labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
};

function withoutHelm(object: Rendered): Rendered {
  const copy = structuredClone(object);
  // Roles, for example, have no spec.
  const { template } = copy.spec ?? {};
  for (const metadata of [copy.metadata, template?.metadata]) {
    for (const label of HELM_LABELS) delete metadata?.labels?.[label];
  }
  delete copy.metadata.annotations?.['helm.sh/resource-policy'];
  if (Object.keys(copy.metadata.annotations ?? {}).length === 0) delete copy.metadata.annotations;
  return copy;
}
