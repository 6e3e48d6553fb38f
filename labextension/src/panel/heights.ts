import type { IDisposable } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';
import type { AccordionPanel, Widget } from '@lumino/widgets';

const HANDLE = '.lm-SplitPanel-handle';

/**
 * Shares the height of an accordion among its sections until the user does: all get what their
 * content needs, up to half of it together, and the main one gets the rest.
 *
 * A drag of a handle ends that; a double click on a handle begins it again.
 */
export class SectionHeights implements IDisposable {
  constructor(
    private readonly _accordion: AccordionPanel,
    private readonly _main: Widget
  ) {
    const { handleMoved, node } = _accordion;
    // When a handle is pressed, and not only when it is let go: nothing pulls on it meanwhile.
    node.addEventListener('pointerdown', this._onPress, { capture: true });
    node.addEventListener('dblclick', this._onDoubleClick);
    handleMoved.connect(this._onMoved, this);
  }

  /** Emitted when the user has shared it, or leaves it to us again. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** What parts of it the user gave to the sections; null when it is shared here. */
  get chosen(): readonly number[] | null {
    return this._chosen;
  }

  set chosen(parts: readonly number[] | null) {
    this._chosen = parts;
    this._isApplied = false;
    this._isOn = true;
    this._share();
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    const { handleMoved, node } = this._accordion;
    this._isDisposed = true;
    handleMoved.disconnect(this._onMoved, this);
    node.removeEventListener('pointerdown', this._onPress, { capture: true });
    node.removeEventListener('dblclick', this._onDoubleClick);
    this._sizes.disconnect();
    this._contents.disconnect();
    Signal.clearData(this);
  }

  /** Follow the content of a section. */
  watch({ node }: Widget): void {
    this._sizes.observe(node);
    if (node !== this._main.node) {
      this._contents.observe(node, {
        childList: true,
        characterData: true,
        subtree: true
      });
    }
  }

  private _share(): void {
    const sections = this._accordion.widgets;
    const heights = sections.map(one => (one.isHidden ? 0 : one.node.offsetHeight));
    const all = sum(heights);
    // Nothing has a height while the panel is hidden, and parts of nothing are lost.
    if (!this._isOn || all === 0) {
      return;
    }
    if (this._chosen !== null) {
      if (!this._isApplied) {
        this._isApplied = true;
        this._accordion.setRelativeSizes([...this._chosen]);
      }
      return;
    }
    const main = this._main;
    const others = sections.filter(one => one !== main && !one.isHidden);
    if (main.isHidden || others.length === 0) {
      return;
    }
    const most = all / 2 / others.length;
    const wanted = sections.map(one =>
      others.includes(one) ? Math.min(contentHeight(one.node), most) : 0
    );
    wanted[sections.indexOf(main)] = all - sum(wanted);
    if (wanted.some((height, i) => Math.abs(height - (heights[i] ?? 0)) > 1)) {
      this._accordion.setRelativeSizes(wanted);
    }
  }

  private readonly _onPress = (event: Event): void => {
    if (isHandle(event)) {
      this._isOn = false;
    }
  };

  private _onMoved(): void {
    this._chosen = this._accordion.relativeSizes();
    this._isApplied = true;
    this._isOn = true;
    this._changed.emit();
  }

  private readonly _onDoubleClick = (event: Event): void => {
    if (isHandle(event)) {
      this.chosen = null;
      this._changed.emit();
    }
  };

  private readonly _sizes = new ResizeObserver(() => {
    this._share();
  });
  private readonly _contents = new MutationObserver(() => {
    this._share();
  });
  private readonly _changed = new Signal<this, void>(this);
  private _chosen: readonly number[] | null = null;
  private _isApplied = false;

  /** Not before it is known what the user has chosen, nor while a handle is held. */
  private _isOn = false;
  private _isDisposed = false;
}

function sum(heights: readonly number[]): number {
  return heights.reduce((all, height) => all + height, 0);
}

function isHandle({ target }: Event): boolean {
  return target instanceof Element && target.closest(HANDLE) !== null;
}

/** What the content of a node takes, however high the node itself is. */
function contentHeight(node: HTMLElement): number {
  const range = document.createRange();
  range.selectNodeContents(node);
  return Math.ceil(range.getBoundingClientRect().height);
}
