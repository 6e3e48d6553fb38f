import type { IRenderMime, IRenderMimeRegistry } from '@jupyterlab/rendermime';

/** Whether scripts may run now. */
export type MayRun = () => boolean;

const always: MayRun = () => true;

/**
 * Keeps all that is rendered through the copies of a registry from running scripts.
 *
 * Notebooks, consoles and viewers of files each render through a copy of Lab's registry that knows
 * the path of what is rendered. Lab asks the cell whether it is trusted, and trusts whatever a cell
 * that was just run puts out. It has no hook for another opinion, so that the copies' two methods
 * through which everything passes are replaced: which kind of data is shown, and by what.
 */
export class RenderGuard {
  /** `mayRun` says it of the content at a path; `notShown` stands where there is nothing else. */
  constructor(
    private readonly _mayRun: (path: string) => boolean,
    private readonly _notShown: string
  ) {}

  /** Guard all copies that are made of `registry` from now on, and copies of them. */
  install(registry: IRenderMimeRegistry, inherited: MayRun = always): void {
    const clone = registry.clone.bind(registry);
    registry.clone = options => {
      const copy = clone(options);
      const mayRun: MayRun = () =>
        inherited() &&
        this._mayRunAt(copy.resolver) &&
        (this._conditions.get(copy) ?? always)();
      this._guard(copy, mayRun);
      this.install(copy, mayRun);
      return copy;
    };
  }

  /** Have one more condition for what is rendered through this copy. */
  restrict(copy: IRenderMimeRegistry, mayRun: MayRun): void {
    this._conditions.set(copy, mayRun);
  }

  private _guard(registry: IRenderMimeRegistry, mayRun: MayRun): void {
    const preferredMimeType = registry.preferredMimeType.bind(registry);
    registry.preferredMimeType = (bundle, safe) =>
      preferredMimeType(bundle, mayRun() ? safe : 'ensure');

    const createRenderer = registry.createRenderer.bind(registry);
    registry.createRenderer = mimeType => {
      const renderer = createRenderer(mimeType);
      const renderModel: Render = renderer.renderModel.bind(renderer);
      renderer.renderModel = async (model, ...rest: unknown[]) => {
        if (mayRun()) {
          return renderModel(model, ...rest);
        }
        if (registry.getFactory(mimeType)?.safe !== true) {
          renderer.node.textContent = this._notShown;
          return;
        }
        return renderModel(untrusted(model), ...rest);
      };
      return renderer;
    };
  }

  private _mayRunAt(resolver: IRenderMime.IResolver | null): boolean {
    // Not in the interface, but every resolver of a file's links has to know it.
    const path = (resolver as { path?: unknown } | null)?.path;
    return typeof path !== 'string' || this._mayRun(path);
  }

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
