import type { IRenderMime, IRenderMimeRegistry } from '@jupyterlab/rendermime';

/** Whether scripts may run now. */
export type MayRun = () => boolean;

const always: MayRun = () => true;

/**
 * What runs nothing when it is not trusted, by Lab's own renderers. That a renderer calls itself
 * safe is not enough: that of Vega puts pieces of HTML from the data into a window, for one.
 */
const HARMLESS =
  /^(image\/(bmp|gif|jpeg|png|webp)|text\/(html|jsonl|latex|markdown|plain|vnd\.mermaid)|application\/(json|jsonl|json-lines|vnd\.jupyter\.(error|stderr|stdout)))$/;

/** The kinds of data in a bundle that run nothing. */
export function harmless<T extends object>(bundle: T): T {
  const kinds = Object.entries(bundle).filter(([mimeType]) => HARMLESS.test(mimeType));
  return Object.fromEntries(kinds) as T;
}

/** Let HTML in a node run no command of Lab, as long as it may not. */
export function holdCommands(node: HTMLElement, mayRun: MayRun): void {
  node.addEventListener('click', event => {
    const { target } = event;
    const isCommand =
      target instanceof Element && target.closest('[data-commandlinker-command]') !== null;
    if (isCommand && !mayRun()) {
      event.preventDefault();
      event.stopPropagation();
    }
  });
}

/**
 * Keeps all that is rendered through the copies of a registry from running scripts.
 *
 * Notebooks, consoles and viewers of files each render through a copy of Lab's registry that knows
 * the path of what is rendered. Lab asks the cell whether it is trusted, and trusts whatever a cell
 * that was just run puts out. It has no hook for another opinion, so that the copies' two methods
 * through which everything passes are replaced: which kind of data is shown, and by what. Viewers of
 * files can go past them to the factory of a renderer, which is told what it is for, too.
 */
export class RenderGuard {
  /** `mayRun` says it of the content at a path; `notShown` stands where there is nothing else. */
  constructor(
    private readonly _mayRun: (path: string) => boolean,
    private readonly _notShown: string
  ) {}

  /** Guard all copies that are made of `registry` from now on, and its factories. */
  install(registry: IRenderMimeRegistry): void {
    for (const mimeType of registry.mimeTypes) {
      this._guardFactory(registry.getFactory(mimeType));
    }
    const addFactory = registry.addFactory.bind(registry);
    registry.addFactory = (factory, rank) => {
      this._guardFactory(factory);
      addFactory(factory, rank);
    };
    this._guardCopies(registry, always);
  }

  private _guardCopies(registry: IRenderMimeRegistry, inherited: MayRun): void {
    const clone = registry.clone.bind(registry);
    registry.clone = options => {
      const copy = clone(options);
      const mayRun: MayRun = () =>
        inherited() &&
        this._mayRunAt(copy.resolver) &&
        (this._conditions.get(copy) ?? always)();
      this._guard(copy, mayRun);
      this._guardCopies(copy, mayRun);
      return copy;
    };
  }

  /** Show what was refused and no longer is. */
  update(): void {
    const refused = [...this._refused.values()];
    this._refused.clear();
    for (const again of refused) {
      again();
    }
  }

  /** Have one more condition for what is rendered through this copy. */
  restrict(copy: IRenderMimeRegistry, mayRun: MayRun): void {
    this._conditions.set(copy, mayRun);
  }

  private _guard(registry: IRenderMimeRegistry, mayRun: MayRun): void {
    const preferredMimeType = registry.preferredMimeType.bind(registry);
    registry.preferredMimeType = (bundle, safe) =>
      mayRun()
        ? preferredMimeType(bundle, safe)
        : preferredMimeType(harmless(bundle), 'ensure');

    const createRenderer = registry.createRenderer.bind(registry);
    registry.createRenderer = mimeType =>
      this._held(createRenderer(mimeType), mimeType, mayRun);
  }

  private _guardFactory(factory: IRenderMime.IRendererFactory | undefined): void {
    if (!factory || this._factories.has(factory)) {
      return;
    }
    this._factories.add(factory);
    const createRenderer = factory.createRenderer.bind(factory);
    factory.createRenderer = options =>
      this._held(createRenderer(options), options.mimeType, () =>
        this._mayRunAt(options.resolver)
      );
  }

  /** The same renderer, which renders nothing that runs as long as it may not. */
  private _held(
    renderer: IRenderMime.IRenderer,
    mimeType: string,
    mayRun: MayRun
  ): IRenderMime.IRenderer {
    const renderModel: Render = renderer.renderModel.bind(renderer);
    const { node } = renderer;
    const note = document.createElement('p');
    note.textContent = this._notShown;
    let kept: ChildNode[] = [];
    const render: Render = async (model, ...rest) => {
      const isAllowed = mayRun();
      if (!isAllowed && !HARMLESS.test(mimeType)) {
        if (!note.parentNode) {
          kept = [...node.childNodes]; // what the renderer goes on with later
          node.replaceChildren(note);
        }
        this._refused.set(renderer, () => {
          if (!renderer.isDisposed) {
            void render(model, ...rest);
          }
        });
        return;
      }
      this._refused.delete(renderer);
      note.replaceWith(...kept);
      return renderModel(isAllowed ? model : untrusted(model), ...rest);
    };
    renderer.renderModel = render;
    holdCommands(node, mayRun);
    return renderer;
  }

  private _mayRunAt(resolver: IRenderMime.IResolver | null): boolean {
    // Not in the interface, but every resolver of a file's links has to know it.
    const path = (resolver as { path?: unknown } | null)?.path;
    return typeof path !== 'string' || this._mayRun(path);
  }

  private readonly _refused = new Map<IRenderMime.IRenderer, () => void>();
  private readonly _factories = new WeakSet<IRenderMime.IRendererFactory>();
  private readonly _conditions = new WeakMap<IRenderMimeRegistry, MayRun>();
}

/** Lab's own renderers take a second argument that is not in the interface. */
type Render = (
  model: IRenderMime.IMimeModel,
  ...rest: unknown[]
) => Promise<void>;

/** The same model, but not trusted, whatever becomes of it. */
function untrusted(model: IRenderMime.IMimeModel): IRenderMime.IMimeModel {
  return new Proxy(model, {
    get: (target, name): unknown => {
      if (name === 'trusted') {
        return false;
      }
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function'
        ? (value as (...args: unknown[]) => unknown).bind(target)
        : value;
    }
  });
}
