/**
 * The policy file: what the tree starts with, and what a change of the file changes. Reading never blocks
 * and never throws for what it finds; all that is wrong is told at once, each with its place.
 */
export { differences, type Difference } from './differences.ts';
export { formatPolicy, type ShownPolicy, type ShownSettings } from './format.ts';
export { loadPolicy, type Loaded, type LoadOptions } from './load.ts';
export {
  errorText,
  FILES,
  isZoneName,
  type FileSettings,
  type LogSettings,
  type Policy,
  type PolicyError,
  type ZoneSettings,
} from './policy.ts';
export { watchPolicy, type PolicyWatch } from './watch.ts';
