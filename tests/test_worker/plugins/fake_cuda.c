/* fake_cuda.c -- a libcuda.so.1 as far as the probe looks at it; the build sets what it answers. */
int cuInit(unsigned flags);
int cuDeviceGetCount(int *count);

__attribute__((visibility("default"))) int cuInit(unsigned flags)
{
        (void)flags;
        return INIT_RESULT;
}

__attribute__((visibility("default"))) int cuDeviceGetCount(int *count)
{
        *count = DEVICES;
        return 0;
}
