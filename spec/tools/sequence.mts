import { Sequence } from './sequence.ts';

/** Jest's `testSequencer`. Jest wants a default export, and the ending `.mts`, for which it uses `import` at once. */
export default Sequence;
