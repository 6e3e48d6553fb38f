export default {
  extends: ['stylelint-config-standard'],
  rules: {
    // Class names follow JupyterLab: `jp-Component-part`.
    'selector-class-pattern': '^jp-[A-Z][A-Za-z]*(-[a-z][A-Za-z]*)*$'
  }
};
