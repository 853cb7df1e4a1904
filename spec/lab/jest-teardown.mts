import { stopShared } from './shared.ts';

/** Jest's `globalTeardown` of the laboratory tests. Jest wants a default export. */
export default stopShared;
