/** Plans that found a defect once, each with what it was. They are run with the smoke set. */
export const kept: readonly string[] = [
  // While the watch of Secrets was silent, every pass deleted the Secret of the former name again.
  'rename:kube.watch.secrets@1:frozen',
];
