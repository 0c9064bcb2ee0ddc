// What libtorch is made of: the wheels of PyTorch, and of NVIDIA for CUDA, that setup gets. No other file of the sources says
// where they are published.
import { cachedLibtorch, libtorchVersions } from './locate-libtorch.cjs';

const OFFICIAL = 'https://download.pytorch.org/whl';

/**
 * By flavour. `place`: where the unpacked libtorch belongs; `unpacked`: bytes of what C++ needs of it. `wheels`: by platform,
 * PyTorch's own first (that of Python 3.11), each line SHA-256, bytes and name. The digest decides; the bytes are for
 * people and for the room on disk.
 */
export const libtorchBuilds = {
  cpu: {
    title: `libtorch ${libtorchVersions.cpu} for the CPU`,
    index: `${OFFICIAL}/cpu`,
    place: () => cachedLibtorch('cpu'),
    unpacked: 0.7e9,
    wheels: {
      'linux-x64': wheels(`
        6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b 191794682 torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl`),
      'linux-arm64': wheels(`
        84453b69508ec79902f899c5ed9495acb9e2bbe9fda5f1d5d6f19e3c3842e1a7 160000000 torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_aarch64.whl`),
      'darwin-arm64': wheels(`
        e76f9bcecc52b8ff711239a2f7547d5353df95878ab232f0773c1d95928b92f8 111200000 torch-2.13.0-cp311-cp311-macosx_14_0_arm64.whl`),
    },
  },
  // The versions that PyTorch's wheel demands, by itself or through cuda-toolkit 13.0.3.
  cuda: {
    title: `libtorch ${libtorchVersions.cuda} for CUDA 13.0`,
    index: `${OFFICIAL}/cu130`,
    place: () => cachedLibtorch('cuda'),
    unpacked: 4.3e9,
    wheels: {
      'linux-x64': wheels(`
        305a61f61f35f128579f299c5bd33d475f6a01c6307336139632e30856c4854d 554581699 torch-2.14.1-cp311-cp311-manylinux_2_28_x86_64.whl
        37936a16db8fe4ac1f065c2139360608a543a09275cb1a1af612e08cfa065436 423138758 nvidia_cublas-13.1.1.3-py3-none-manylinux_2_27_x86_64.whl
        4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8  10715597 nvidia_cuda_cupti-13.0.85-py3-none-manylinux_2_25_x86_64.whl
        ad9b6d2ead2435f11cbb6868809d2adeeee302e9bb94bcf0539c7a40d80e8575  90215200 nvidia_cuda_nvrtc-13.0.88-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl
        7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548   2243632 nvidia_cuda_runtime-13.0.96-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl
        71f181cd810e90f9b6023b01186fe82d13d65f0ec098581ee201d39fad769e4b 553099438 nvidia_cudnn_cu13-9.24.0.43-py3-none-manylinux_2_27_x86_64.whl
        6c44f692dce8fd5ffd3e3df134b6cdb9c2f72d99cf40b62c32dde45eea9ddad3 214085489 nvidia_cufft-12.0.0.61-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl
        08a3ecefae5a01c7f5117351c64f17c7c62efa5fffdbe24fc7d298da19cd0b44   1223672 nvidia_cufile-1.15.1.6-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl
        1aee33a5da6e1db083fe2b90082def8915f30f3248d5896bcec36a579d941bfc  59544258 nvidia_curand-10.4.0.35-py3-none-manylinux_2_27_x86_64.whl
        0a759da5dea5c0ea10fd307de75cdeb59e7ea4fcb8add0924859b944babf1112 200941980 nvidia_cusolver-12.0.4.66-py3-none-manylinux_2_27_x86_64.whl
        2b3c89c88d01ee0e477cb7f82ef60a11a4bcd57b6b87c33f789350b59759360b 145942937 nvidia_cusparse-12.6.3.3-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl
        786ce87568c303fadb5afcc7102d454cd3040d75f6f8626f5db460d1871f4dd0 170148586 nvidia_cusparselt_cu13-0.8.1-py3-none-manylinux2014_x86_64.whl
        cefa7fdb9710efd0f39c5f1be1d61ff6fc9a996c451265bd7fbdcf9455ed4b50 215965170 nvidia_nccl_cu13-2.30.7-py3-none-manylinux_2_18_x86_64.whl
        e0391f24ed94ec879b84e3da4d4ec320c879aff681f2c7a638462f7199284323  42452378 nvidia_nvjitlink-13.4.92-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl
        290f0a2ee94c9f3687a02502f3b9299a9f9fe826e6d0287ee18482e78d495b80  60412546 nvidia_nvshmem_cu13-3.4.5-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl
        4936d1d6780fbe68db454f5e72a42ff64d1fd6397df9f363ae786930fd5c1cd4    148047 nvidia_nvtx-13.0.85-py3-none-manylinux1_x86_64.manylinux_2_5_x86_64.whl`),
    },
  },
};

/** { name, version, file, bytes, sha256 } of each line. */
function wheels(lines) {
  return lines
    .trim()
    .split('\n')
    .map((line) => {
      const [sha256, bytes, file] = line.trim().split(/\s+/);
      const [name, version] = file.split('-');
      return { name: name.replaceAll('_', '-'), version, file, bytes: Number(bytes), sha256 };
    });
}
