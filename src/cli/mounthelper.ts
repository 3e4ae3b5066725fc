/**
 * The command line of a mount(8) helper, `slashnet SOURCE DIR -o OPTIONS`: how mount.fuse3 starts a file
 * system for a line of fstab. It is `serve --mount DIR --background` in other words.
 */

/** What the kernel, mount(8) and mount.fuse3 deal with, and options of ours by the same name. */
const FLAGS: Readonly<Record<string, string>> = { allow_other: '--allow-other' };

/** The arguments that commander understands; those of any other command line are given back as they are. */
export function fromMountHelper(args: readonly string[], commands: readonly string[]): readonly string[] {
  const [source, dir, ...rest] = args;
  if (source === undefined || source.startsWith('-') || commands.includes(source)) return args;
  if (dir?.startsWith('/') !== true || (rest.length > 0 && rest[0] !== '-o')) return args;
  const options = rest.filter(arg => arg !== '-o').flatMap(list => list.split(','));
  const flags = options.flatMap(option => FLAGS[option] ?? []);
  return ['serve', '--mount', dir, '--background', ...flags];
}
