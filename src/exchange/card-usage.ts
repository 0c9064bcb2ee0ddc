/** The few lines by which exported weights are used, for their card. */
import type { EncoderDescription } from '../weights/encoder-file.js';
import type { ExportedFile } from './layouts.js';

/** For every kind of file that is there. */
export function usageOf(
  { model, clip }: EncoderDescription,
  { dim }: ExportedFile,
  files: readonly string[],
): string {
  const tensors = files.find((file) => file.endsWith('.safetensors'));
  const onnx = files.find((file) => file.endsWith('.onnx'));
  const shape = `(N, 3, ${clip.frames}, ${clip.size}, ${clip.size})`;
  const parts: string[] = [];
  if (tensors !== undefined) {
    parts.push(
      code('sh', `npx vssl-native embed --weights ${tensors} --data videos/ --out vectors.safetensors`),
    );
    const lines = model.width === 1 ? pythonLines(model.arch, tensors, shape, dim) : null;
    if (lines) parts.push(code('python', lines));
  }
  if (onnx !== undefined)
    parts.push(
      code(
        'python',
        `import onnxruntime\n\nsession = onnxruntime.InferenceSession("${onnx}")\n` +
          `name = session.get_inputs()[0].name\n(features,) = session.run(None, {name: clips})  # (N, ${dim})`,
      ),
      code(
        'js',
        `import { InferenceSession } from "onnxruntime-node";\n\nconst session = await InferenceSession.create("${onnx}");\n` +
          `const { features } = await session.run({ [session.inputNames[0]]: clips }); // (N, ${dim})`,
      ),
    );
  return parts.join('\n\n');
}

function code(language: string, lines: string): string {
  return `\`\`\`${language}\n${lines}\n\`\`\``;
}

/** torchvision has functions for three architectures, and the class that two more are. */
const BUILDERS: Readonly<Record<string, string>> = {
  r3d_18: 'video.r3d_18()',
  mc3_18: 'video.mc3_18()',
  r2plus1d_18: 'video.r2plus1d_18()',
  r3d_10: videoResNet([1, 1, 1, 1]),
  r3d_34: videoResNet([3, 4, 6, 3]),
};

function videoResNet(blocks: readonly number[]): string {
  return `video.resnet.VideoResNet(video.resnet.BasicBlock, [video.resnet.Conv3DSimple] * 4, [${blocks.join(', ')}], video.resnet.BasicStem)`;
}

function pythonLines(arch: string, file: string, shape: string, dim: number): string | null {
  const builder = BUILDERS[arch];
  if (builder === undefined) return null;
  return [
    'import torch',
    'from safetensors.torch import load_file',
    'from torchvision.models import video',
    '',
    `model = ${builder}`,
    'model.fc = torch.nn.Identity()',
    `model.load_state_dict(load_file("${file}"))`,
    `features = model.eval()(clips)  # ${shape} to (N, ${dim})`,
  ].join('\n');
}
