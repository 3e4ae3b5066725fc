/**
 * The command line of a mount(8) helper, `slashnet SOURCE DIR -o OPTIONS`: how mount.fuse3 starts a file
 * system for a line of fstab. It is `serve --mount DIR --background` in other words.
 */

/** What mount(8), mount.fuse3 and the kernel deal with, or what a mount of ours is in any case. */
const OTHERS =
  /^(rw|(no)?(suid|dev|exec|auto|user|users|owner|group|atime|diratime|relatime|fail)|defaults|strictatime|(a|dir)?sync|_netdev|(x-|comment=|fsname=|subtype=|setuid=).*|drop_privileges|)$/;

/** Options of ours, by the name that a line of fstab has for them. */
const OURS: Readonly<Record<string, (value: string) => string[]>> = {
  allow_other: () => ['--allow-other'],
  conversations: n => ['--conversations', n],
  policy: file => ['--policy', file],
};

/** A line of fstab that asks for what cannot be given. */
export class MountOptionError extends Error {}

/** The arguments that commander understands; those of any other command line are given back as they are. */
export function fromMountHelper(args: readonly string[], commands: readonly string[]): readonly string[] {
  if (args[0]?.startsWith('/') === true && args[1] === '-o') {
    throw new MountOptionError(
      `the line of fstab lacks its source: slashnet ${args[0]} fuse.slashnet ${args[2] ?? 'defaults'} 0 0`,
    );
  }
  const [source, dir, ...rest] = args;
  if (source === undefined || source.startsWith('-') || commands.includes(source)) return args;
  // mount.fuse3 always has options to pass; without any it is a command that was misspelt.
  if (dir?.startsWith('/') !== true || rest[0] !== '-o') return args;
  const options = rest.filter(arg => arg !== '-o').flatMap(list => list.split(','));
  // A descriptor mount.fuse3 has mounted itself, and it starts us where it did that.
  const handed = dir.startsWith('/dev/fd/') ? ['--trust-mount'] : [];
  const flags = [...handed, ...options.flatMap(flagOf)];
  return ['serve', '--mount', dir, '--mount-name', source, '--background', ...flags];
}

function flagOf(option: string): string[] {
  const [name = '', value = ''] = option.split('=');
  if (Object.hasOwn(OURS, name)) return OURS[name]!(value);
  if (OTHERS.test(option)) return [];
  throw new MountOptionError(
    `mount option ${option} is not known; there are: ${Object.keys(OURS).join(', ')}, ` +
      'setuid=USER, drop_privileges and those of every file system',
  );
}
