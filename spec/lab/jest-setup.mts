import { startShared } from './shared.ts';

/**
 * Jest's `globalSetup` of the laboratory tests: one control plane for all files. Jest wants a default export, and the
 * ending `.mts`, for which it uses `import` at once; it tries `require` on `.ts`.
 */
export default startShared;
