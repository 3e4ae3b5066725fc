/** What the client believes of a file that it walked to. */

/**
 * One for each walk by name, and shared by the fids that are cloned from it, as the client's own inode
 * is. `size` is the client's i_size: a read that ends below it counts as short there, and is asked again
 * for ever.
 */
export interface Inode {
  /** The name of the symlink that it is. */
  readonly link: string | undefined;
  size: number;
}
